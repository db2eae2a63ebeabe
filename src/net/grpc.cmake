roost_library(grpc
  SOURCES grpc_channel.cc grpc_client.cc grpc_connection.cc grpc_reply.cc grpc_session.cc
  LINKS roost_net
  PRIVATE_LINKS PkgConfig::NGHTTP2 OpenSSL::SSL OpenSSL::Crypto)

if(ROOST_TESTS)
  # A server that does as a test says.
  add_library(roost_grpc_testing STATIC grpc_testing.cc)
  target_link_libraries(roost_grpc_testing
    PUBLIC roost_grpc GTest::gtest PRIVATE PkgConfig::NGHTTP2 OpenSSL::SSL OpenSSL::Crypto)
endif()
roost_test(grpc
  SOURCES grpc_client_test.cc grpc_fault_test.cc grpc_reply_test.cc grpc_tls_test.cc grpc_typed_test.cc
  LINKS roost_grpc roost_grpc_testing roost_net_testing PkgConfig::NGHTTP2 protobuf::libprotobuf
  LABELS threads
  TIMEOUT 300)
