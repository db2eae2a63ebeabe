#pragma once

struct pg_conn;

namespace roost {

/// Asks the server, over a connection of its own, to cancel what `connection` is doing. Returns at
/// once: libpq's call blocks, so it runs on a thread of its own that ends with it. At most 32 run
/// in the process at once; beyond that, and on other trouble, nothing is sent and the caller's wait
/// for a confirmation runs out.
void PgSendCancel(pg_conn* connection);

}  // namespace roost
