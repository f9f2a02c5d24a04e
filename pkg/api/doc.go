// Package api serves the gRPC interface of proto/nvad/v1: a request becomes a
// question to a [Reader] or a command to a [Controller], and the answer one of
// the generated messages.
//
// Promise: reading is for whoever may open the socket or, over TCP, has a
// certificate; changing is for root and the members of one group, and for
// certificates that the configuration names; every error has the gRPC code that fits it and a
// text for a person. The package owns no state and decides nothing about
// routes. Generated types do not leave it.
package api
