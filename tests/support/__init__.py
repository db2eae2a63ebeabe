"""What the demo, the soaks and the end-to-end tests share: a server to start, a client, a judge."""
