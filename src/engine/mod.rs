//! One request's life as a state machine, told by compiled rules, without a clock, a socket or chance.
