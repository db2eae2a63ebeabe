import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.analysis.common.CommonAnalysisPlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.index.mapper.MapperExtrasPlugin;
import org.opensearch.index.reindex.ReindexPlugin;
import org.opensearch.join.ParentJoinPlugin;
import org.opensearch.knn.plugin.KNNPlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node with the k-NN plugin in this virtual machine; start_opensearch.py runs it.
 * Arguments: the home folder, then SETTING=VALUE as in opensearch.yml.
 */
public final class OpenSearchPeer extends Node {
    /** What a vector store needs of the modules that every distribution has. */
    private static final List<Class<? extends Plugin>> PLUGINS =
        List.of(
            Netty4Plugin.class,
            CommonAnalysisPlugin.class,
            MapperExtrasPlugin.class,
            ParentJoinPlugin.class,
            ReindexPlugin.class,
            PainlessPlugin.class,
            KNNPlugin.class);

    private OpenSearchPeer(Environment environment) {
        super(environment, PLUGINS, false);
    }

    public static void main(String[] arguments) throws Exception {
        Settings.Builder settings = Settings.builder().put("path.home", arguments[0]);
        for (int i = 1; i < arguments.length; i++) {
            String[] setting = arguments[i].split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(
                settings.build(), Map.of(), Path.of(arguments[0], "config"), () -> "node1");
        Node node = new OpenSearchPeer(environment);
        CountDownLatch end = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
            end.countDown();
        }));
        node.start();
        end.await();
    }
}
