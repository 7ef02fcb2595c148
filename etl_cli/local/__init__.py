"""The local environment: an embedded AWS (ministack) that the real CDK CLI deploys the real template into."""
