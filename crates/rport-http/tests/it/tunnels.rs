//! Tunnels through the API, with an agent that is a few lines of test code.
