"""What the client takes from the environment."""

import unittest

from mock_server import Server

import roost


class Environment(unittest.TestCase):
    def test_names_of_applications_that_spoke_to_a_store_are_honoured(self):
        settings = roost.Settings.from_environment(
            {
                "MILVUS_CLUSTER_ENDPOINT": "https://roost.example:443/",
                "MILVUS_CLUSTER_TOKEN": "t",
                "ML_VECTOR_BACKEND": "dual_write",
                "ML_VECTOR_DIMENSION": "384",
                "ML_OPENSEARCH_INDEX": "ml-vectors",
                "ML_OPENSEARCH_HOSTS": "https://a.example,https://b.example:9200",
                "ML_OPENSEARCH_USERNAME": "ad@min",
                "ML_OPENSEARCH_PASSWORD": "ge:heim",
                "ML_OPENSEARCH_VERIFY_CERTS": "False",
            }
        )
        self.assertEqual(
            (settings.endpoint, settings.token, settings.store_kind, settings.dimension, settings.collection),
            ("https://roost.example:443", "t", "pgvector", 384, "ml_vectors"),
        )
        self.assertEqual(
            settings.opensearch_address(),
            "opensearch://ad%40min:ge%3Aheim@a.example:443,b.example:9200?tls=true&verify=false",
        )
        self.assertNotIn("ge:heim", repr(settings))
        self.assertEqual(roost.Settings.from_environment({}), roost.Settings())
        self.assertEqual(
            roost.Settings.from_environment(
                {"ROOST_ENDPOINT": "h:1", "MILVUS_CLUSTER_ENDPOINT": "m"}
            ).endpoint,
            "http://h:1",
        )

    def test_mistakes_name_the_variable(self):
        for name, value in (
            ("ML_VECTOR_BACKEND", "oracle"),
            ("ML_VECTOR_DIMENSION", "many"),
            ("ML_VECTOR_DIMENSION", "0"),
            ("ML_OPENSEARCH_VERIFY_CERTS", "perhaps"),
        ):
            with self.assertRaisesRegex(roost.InvalidArgumentError, name):
                roost.Settings.from_environment({name: value})

    def test_the_backend_chooses_the_store_of_a_new_collection(self):
        info = {"name": "notes", "store": "pg", "dimension": 384, "metric": "COSINE", "kinds": {}}
        stores = {"stores": [{"name": "embedded", "kind": "embedded"}, {"name": "pg", "kind": "pgvector"}]}
        server = Server(stores, info)
        settings = roost.Settings(backend="pgvector", dimension=384)
        self.assertEqual(server.client(settings=settings).create_collection().store, "pg")
        self.assertEqual(server.body(), {"dimension": 384, "metric": "COSINE", "store": "pg"})
        with self.assertRaisesRegex(roost.InvalidArgumentError, "no store of the server is 'milvus'"):
            Server(stores).client(settings=roost.Settings(backend="milvus")).create_collection()


if __name__ == "__main__":
    unittest.main()
