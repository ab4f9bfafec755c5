-- Prosody inside, with the gateway as a component (XEP-0114): bob@partner.example is
-- bob\40partner.example@gateway.corp.example to our people. For /etc/prosody/conf.d/, tested with 0.12.3.

VirtualHost "corp.example"
	modules_disabled = { "s2s" } -- nobody is to go around the gateway

Component "gateway.corp.example"
	component_secret = "replace this by 32 random characters"
	modules_disabled = { "s2s" }
