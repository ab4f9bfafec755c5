"""The lab with SIP: real SIP servers, real and scripted SIP clients."""
