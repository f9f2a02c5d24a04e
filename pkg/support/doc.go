// Package support gathers what a colleague would ask for into one archive.
//
// Promise: nothing that is missing, forbidden or slow keeps the rest from being
// gathered; it is noted in the archive. Each exhibit has a bound on time and size. The
// package owns no state and changes nothing but the archive; that an exhibit holds no
// secrets is for whoever names it to see to.
package support
