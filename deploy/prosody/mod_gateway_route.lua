-- SPDX-License-Identifier: Apache-2.0
--
-- mod_gateway_route: every foreign domain of a host is reached at the gateway, without DNS.
--
-- Options, for a VirtualHost or for all of them:
--   gateway_route_to = "127.0.0.100:5269"         the gateway's [inside] listen; without it nothing changes
--   gateway_route_direct = { "sister.example" }   domains that are dialled as usual
--
-- Prosody asks the hook "route/remote" three times: at -1 it uses a stream that exists, at -10 it looks the domain up
-- and opens one. This stands between the two: the first is what we want, the second is what we replace.

local place = module:get_option_string("gateway_route_to", "");
local address, port = place:match("^%[?([^%[%]]+)%]?:(%d+)$");
local direct = module:get_option_set("gateway_route_direct", {});
local limit = module:get_option_number("s2s_unauthed_stanza_size_limit", 10000);

local connect = require "net.connect".connect;
local fixed_address = require "net.resolvers.basic".new;
local new_outgoing = require "core.s2smanager".new_outgoing;
local portmanager = require "core.portmanager";
local st = require "util.stanza";

module:depends("s2s");
if place ~= "" and not address then
	error("gateway_route_to is an address and a port, like 127.0.0.100:5269");
end

local stanzas = { message = true; presence = true; iq = true };
local errors_ns = "urn:ietf:params:xml:ns:xmpp-stanzas";

-- Answers what waited for a stream that did not come up. mod_s2s adds to the same queue: pairs of the stanza's text and
-- a reply to it, which is false for a stanza that is itself an answer.
local function bounce(session, reason)
	local waiting = session.sendq or {};
	session.sendq = nil;
	local text = type(reason) == "table" and reason.text or reason;
	for _, item in ipairs(waiting) do
		local reply = item[2];
		if reply and not reply.attr.xmlns and stanzas[reply.name] then
			reply.attr.type = "error";
			reply:tag("error", { type = "wait"; by = session.from_host })
				:tag("remote-server-timeout", { xmlns = errors_ns }):up()
				:tag("text", { xmlns = errors_ns }):text("The gateway cannot be reached: " .. tostring(text or "")):up();
			module:send(reply);
		end
	end
end

module:hook("route/remote", function (event)
	local remote, stanza = event.to_host, event.stanza;
	if not address or direct:contains(remote) then return; end
	local session = new_outgoing(event.from_host, remote);
	session.version = 1;
	session.stanza_size_limit = limit;
	-- mod_s2s calls this by name; its own is a local function that we cannot reach
	session.bounce_sendq = bounce;
	local is_answer = stanza.attr.type == "error" or stanza.attr.type == "result";
	session.sendq = { { tostring(stanza), not is_answer and st.reply(stanza) } };
	module:fire_event("s2sout-created", { session = session });
	local listener = portmanager.get_service("s2s").listener;
	connect(fixed_address(address, tonumber(port), "tcp", {}), listener, nil, { session = session });
	return true;
end, -5);
