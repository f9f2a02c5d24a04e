package arm

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// NoIdentityError says that no identity gave a token.
type NoIdentityError struct {
	cloud     string
	elsewhere string // the cloud that this VM is in, if it is another one
	reasons   []string
}

func (e *NoIdentityError) add(kind string, err error) {
	e.reasons = append(e.reasons, kind+": "+oneLine(err))
}

// Error gives the reason of each kind that was tried.
func (e *NoIdentityError) Error() string {
	text := "no identity gives a token for " + e.cloud + ": " + strings.Join(e.reasons, "; ")
	if e.elsewhere != "" {
		return text + "; this VM is in " + e.elsewhere + ": is " + e.cloud + " the right cloud?"
	}
	return text + "; give the VM a managed identity (az vm identity assign), or log in (az login)"
}

// NotAzureError says that this machine's name in Azure is not known.
type NotAzureError struct{ err error }

// Error says what to do outside Azure.
func (e *NotAzureError) Error() string {
	return fmt.Sprintf("this machine does not seem to be a VM of Azure: %v; elsewhere, name the VM by its resource ID", e.err)
}

// Unwrap returns the metadata service's error.
func (e *NotAzureError) Unwrap() error { return e.err }

// PermissionError says which permission the identity lacks.
type PermissionError struct {
	// Identity describes who asked.
	Identity string
	// Action is the action as role definitions name it, Scope the resource that it was for.
	Action, Scope string
}

// Role returns the name of the file in configs/azure whose role has the permission.
func (e *PermissionError) Role() string { return roleOf(e.Action) }

// Error names the permission and the role that has it.
func (e *PermissionError) Error() string {
	return fmt.Sprintf("%s lacks the permission %s for %s; the role of configs/azure/%s has it: assign it there, and allow some minutes",
		e.Identity, e.Action, e.Scope, e.Role())
}

// TimeoutError says what was waited for when time ran out.
type TimeoutError struct {
	// Step names what the client waited for.
	Step string
	// Throttled says that Azure asked to wait longer than there was time.
	Throttled bool
	silent    string // the host, if it gave no answer at all
	err       error
}

// Error says what to do about it.
func (e *TimeoutError) Error() string {
	switch {
	case errors.Is(e.err, context.Canceled):
		return "interrupted while waiting for " + e.Step
	case e.Throttled:
		return "time ran out while Azure throttled the requests, waiting for " + e.Step + ": ask again later, or allow more time"
	}
	if e.silent != "" {
		return "time ran out while waiting for " + e.Step + ", and " + e.silent + " gave no answer at all: " + wayOut
	}
	return "time ran out while waiting for " + e.Step + ": allow more time"
}

// Unwrap returns the error of the context.
func (e *TimeoutError) Unwrap() error { return e.err }

// wayOut says what requests to Resource Manager need. New subnets have no way out of their own.
const wayOut = "this machine needs a way out to it, such as a NAT gateway, a public address or HTTPS_PROXY"

// UnreachableError says that Resource Manager gives no answer.
type UnreachableError struct {
	// Host is who was asked.
	Host string
	err  error
}

// Error says what an answer needs.
func (e *UnreachableError) Error() string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](e.err); ok {
		return fmt.Sprintf("%s can't be asked: %s; if a proxy answers in its place, this machine has to trust the proxy's authority (update-ca-certificates, or SSL_CERT_FILE)", e.Host, oneLine(e.err))
	}
	return fmt.Sprintf("%s can't be reached: %s; %s", e.Host, oneLine(e.err), wayOut)
}

// Unwrap returns the error of the connection.
func (e *UnreachableError) Unwrap() error { return e.err }

// refusal says what this package itself does not do, whatever Azure says.
type refusal string

func (r refusal) Error() string { return string(r) }

// NonRetriable tells the SDK not to ask again: it would be refused again.
func (refusal) NonRetriable() {}

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// explain turns the error of a request into one that an operator can act on.
func (c *Client) explain(err error) error {
	if _, done := errors.AsType[*PermissionError](err); done || err == nil || isEnd(err) {
		return err
	}
	// A connection that timed out calls itself the end of a context too.
	if lost, ok := errors.AsType[*url.Error](err); ok {
		return &UnreachableError{Host: c.host(), err: lost.Err}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		_, held := errors.AsType[throttled](err)
		timeout := &TimeoutError{Step: c.step, Throttled: held, err: err}
		if c.raw != nil && !c.answered {
			timeout.silent = c.host()
		}
		return timeout
	}
	if own, ok := errors.AsType[refusal](err); ok {
		return own
	}
	answer, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return fmt.Errorf("%s: %s", c.step, oneLine(err))
	}
	text := message(answer)
	switch answer.ErrorCode {
	case "AuthorizationFailed", "LinkedAuthorizationFailed":
		action, scope := denied(answer, text)
		return &PermissionError{Identity: c.identity.name, Action: action, Scope: scope}
	case "InvalidAuthenticationTokenTenant":
		return fmt.Errorf("%s: %s belongs to another tenant than the subscription: %s; use an identity of that tenant (az login --tenant)", c.step, c.identity.name, text)
	case "InvalidAuthenticationTokenAudience", "InvalidAuthenticationToken":
		return fmt.Errorf("%s: Resource Manager of %s rejects the token of %s: %s; is it the right cloud?", c.step, c.cloud.name, c.identity.name, text)
	case "SubscriptionNotFound", "InvalidSubscriptionId":
		return fmt.Errorf("%s: %s; either %s has no role in it, or it is not in %s", c.step, text, c.identity.name, c.cloud.name)
	}
	return fmt.Errorf("%s: %s: %s", c.step, flat(fmt.Sprint(answer.StatusCode, " ", answer.ErrorCode)), text)
}

// isEnd reports whether after an explained error nothing more can be asked.
func isEnd(err error) bool {
	_, timeout := errors.AsType[*TimeoutError](err)
	_, lost := errors.AsType[*UnreachableError](err)
	return timeout || lost
}

// busyPause is how long to wait for somebody else's change if Azure names no time.
const busyPause = 2 * time.Second

// occupied reports whether err says that the resource has changed since it was read, or is being
// changed, and how long to wait.
func occupied(err error) (time.Duration, bool) {
	answer, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return 0, false
	}
	pause := busyPause
	if answer.RawResponse != nil {
		pause = retryAfter(answer.RawResponse.Header, pause)
	}
	switch {
	case answer.StatusCode == http.StatusPreconditionFailed:
		return time.Second, true
	case slices.Contains(busyCodes, answer.ErrorCode):
		return pause, true
	}
	return 0, false
}

// Azure's words for a resource that is being changed, or that refers to one.
var busyCodes = []string{"AnotherOperationInProgress", "ReferencedResourceNotProvisioned", "RetryableError"}

// message returns Azure's explanation in one line.
func message(e *azcore.ResponseError) string {
	var body struct{ Error struct{ Message string } }
	if e.RawResponse != nil {
		if text, err := runtime.Payload(e.RawResponse); err == nil && json.Unmarshal(text, &body) == nil && body.Error.Message != "" {
			text, _, _ := strings.Cut(body.Error.Message, " For more details please go to ")
			return flat(text)
		}
	}
	return cmp.Or(http.StatusText(e.StatusCode), "no explanation")
}

// oneLine returns the text of an error of the SDK without the lines that only draw a frame. Of
// an answer in JSON, as identities have it, only the description is left.
func oneLine(err error) string {
	text := err.Error()
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	var answer struct {
		Description string `json:"error_description"`
	}
	if from >= 0 && from < to && json.Unmarshal([]byte(text[from:to+1]), &answer) == nil && answer.Description != "" {
		text = text[:from] + answer.Description + text[to+1:]
	}
	return flat(text)
}

// maxText bounds what is passed on of a text of Azure.
const maxText = 600

var frame = regexp.MustCompile(`-{8,}`)

func flat(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, frame.ReplaceAllString(text, " "))
	text = strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}

// In Azure's words: "does not have authorization to perform action 'A' over scope 'S'", and for a
// resource that the request only refers to, "permission to perform action(s) 'A' on the
// linked scope(s) 'S'".
var (
	deniedLinked = regexp.MustCompile(`action\(s\) '([^']+)' on the linked scope\(s\) '([^']+)'`)
	deniedDirect = regexp.MustCompile(`action '([^']+)' over scope '([^']+)'`)
)

// denied returns the permission that is missing, and for what.
func denied(e *azcore.ResponseError, text string) (action, scope string) {
	for _, r := range []*regexp.Regexp{deniedLinked, deniedDirect} {
		if m := r.FindStringSubmatch(text); m != nil {
			return m[1], m[2]
		}
	}
	if e.RawResponse == nil || e.RawResponse.Request == nil {
		return "", ""
	}
	req := e.RawResponse.Request
	return actionOf(req.Method, req.URL.Path), req.URL.Path
}

// verbs maps each method to its name in role definitions.
var verbs = map[string]string{
	http.MethodGet: "read", http.MethodPut: "write", http.MethodPatch: "write",
	http.MethodDelete: "delete", http.MethodPost: "action",
}

// actionOf returns the action that a request needs, as role definitions name it: types and
// names take turns in the path. What extends a resource, such as its tags, has a provider of its own behind
// the resource's.
func actionOf(method, path string) string {
	namespace := "Microsoft.Resources"
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if strings.EqualFold(parts[i], "providers") {
			namespace, parts = parts[i+1], parts[i+2:]
			break
		}
	}
	action := namespace
	for i := 0; i < len(parts); i += 2 {
		action += "/" + parts[i]
	}
	return action + "/" + verbs[method]
}

// roleOf returns the file with the smallest role that has an action.
func roleOf(action string) string {
	action = strings.ToLower(action)
	if strings.HasSuffix(action, "/write") || strings.Contains(action, "/join") || strings.Contains(action, "/routes/") {
		return "role-operator.json"
	}
	return "role-reader.json"
}
