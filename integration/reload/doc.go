// Package reload checks every UPDATE that leaves nvad against the policies while the policies
// change and routes flap.
//
// nvad stands between two neighbors that announce and two that listen (package rawbgp). Its
// file alternates between two configurations that filter and mark routes differently. Each
// denies on export what its own import policy tags, so only a mixture of the two lets out
// routes that each of them denies. No listener may ever hear such a route, a route without the
// marks of a policy, a withdrawal of a route that both announce, or the same route twice.
package reload
