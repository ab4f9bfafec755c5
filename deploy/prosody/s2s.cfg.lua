-- Prosody inside, server to server: all foreign domains go to the gateway. For /etc/prosody/conf.d/, tested with 0.12.3.
-- Needs mod_gateway_route.lua beside it in a plugin path, and the gateway's inside-ca/ca.crt as /etc/prosody/gateway-ca.crt.

plugin_paths = { "/etc/prosody/modules" } -- holds mod_gateway_route.lua; add the paths that you have already

-- Nagle's algorithm is on by default and holds small stanzas back by up to 40 ms.
network_settings = { nagle = false }

-- Other servers talk to the gateway: port 5269 of the public address is its.
s2s_interfaces = { "127.0.0.1" }

-- Only the gateway may be on the other end of a server-to-server stream: a certificate is required, and no other
-- authority is believed for it. These two are ignored below a VirtualHost.
s2s_require_encryption = true
s2s_secure_auth = true

VirtualHost "corp.example"
	modules_enabled = { "gateway_route" }
	gateway_route_to = "127.0.0.100:5269" -- the gateway's [inside] listen
	s2s_ssl = { cafile = "/etc/prosody/gateway-ca.crt"; capath = "/nonexistent" }
