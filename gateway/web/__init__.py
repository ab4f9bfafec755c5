"""What the gateway shows of itself: metrics and health over HTTP, and the control socket."""
