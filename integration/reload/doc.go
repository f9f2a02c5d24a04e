// Package reload holds every UPDATE that leaves nvad against the policies, while
// the policies change and routes flap.
//
// nvad stands between two neighbors that announce and two that listen (package
// rawbgp). Its file alternates between two configurations that filter and mark
// differently and know each other's marks: what import policy tags, export
// policy denies. So a mixture of the two lets out what each of them denies. No
// listener may ever hear such a route, one without the marks of a policy, a
// withdrawal of what both announce, or one route twice.
package reload
