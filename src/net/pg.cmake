# PostgreSQL: sessions and their pool.
if(NOT TARGET roost_pg)
  roost_library(pg
    SOURCES pg_cancel.cc pg_codec.cc pg_connect.cc pg_connection.cc pg_copy.cc pg_error.cc pg_pool.cc
    LINKS roost_base
    PRIVATE_LINKS PostgreSQL::PostgreSQL)
  # Sessions and their pool are tested with a real server in adapters/pgvector.
  roost_test(pg SOURCES pg_test.cc LINKS roost_pg)
endif()
