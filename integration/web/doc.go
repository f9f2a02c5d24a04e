// Package web contains the acceptance tests of the page of nvactl web, in Debian's Chromium: with the
// real two hubs behind it, and with daemons without routing that have more routes and events
// than the lab, or bad days. Screenshots of every view are left in dist/web; look at them.
package web
