// Package route defines the values that all other packages exchange: prefixes and path
// attributes, each with one text form.
//
// Promise: an [Attrs] from an [Interner] never changes, and two of them are equal exactly
// if their pointers are. So comparing, caching and grouping routes by their attributes
// costs one comparison of pointers.
//
// The package has no state except in an Interner and in [Lists], and does no I/O. Package
// rib decides between routes, package policy matches and changes them.
package route
