package imds

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// StatusError is an answer other than 200 OK.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Path is what was asked for, without the endpoint.
	Path string
	// Message is the service's own, empty if it gave none.
	Message string
}

// Error says what was answered and what Azure's documentation makes of it.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.Path, e.Code, http.StatusText(e.Code))
	switch {
	case e.Message != "":
		text += ": " + e.Message
	case meaning[e.Code] != "":
		text += ": " + meaning[e.Code]
	}
	return text
}

// meaning is what the documentation of the service says of a status.
var meaning = map[int]string{
	http.StatusNotFound:            "it does not know this machine (yet)",
	http.StatusGone:                "it is being updated, which takes up to 70 seconds",
	http.StatusTooManyRequests:     "this machine asks more than five times a second",
	http.StatusInternalServerError: "an error of the service, said to pass",
}

// unreachable is a request that got no answer.
type unreachable struct{ err error }

func (e *unreachable) Error() string {
	err := e.err
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return fmt.Sprintf("no answer from 169.254.169.254: %v", err)
}

func (e *unreachable) Unwrap() error { return e.err }

// transient reports whether to ask again helps: statuses that a starting or
// updated service answers with, and no answer at all.
func transient(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code == http.StatusNotFound || status.Code == http.StatusGone ||
			status.Code == http.StatusTooManyRequests || status.Code >= http.StatusInternalServerError
	}
	var none *unreachable
	return errors.As(err, &none)
}

// gaveUp is the last error after so many tries. Where there never was an
// answer, it says what Azure requires for one.
func gaveUp(err error, tries int) error {
	hint := ""
	var none *unreachable
	if errors.As(err, &none) {
		hint = "; only Azure has it, and it answers the primary address of the primary NIC alone, with DHCP and a route to 169.254.169.254"
	}
	return fmt.Errorf("metadata service: gave up after try %d: %w%s", tries, err, hint)
}
