package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
)

// Problem is an error in the words of Resource Manager.
type Problem struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error returns the code and the message.
func (p *Problem) Error() string { return p.Code + ": " + p.Message }

func problem(status int, code, format string, args ...any) *Problem {
	return &Problem{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (p *Problem) write(w http.ResponseWriter) {
	writeJSON(w, p.Status, map[string]*Problem{"error": p})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":{"code":"InternalServerError","message":"An error occurred."}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func notFound(id string) *Problem {
	subscription, group := groupOf(id)
	switch strings.Count(id, "/") {
	case 2:
		return problem(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", subscription)
	case 4:
		return problem(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", group)
	}
	return problem(http.StatusNotFound, "ResourceNotFound",
		"The Resource '%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", typedName(id), group)
}

var etags atomic.Int64

// newETag returns an entity tag that no other resource has had.
func newETag() *string {
	tag := fmt.Sprintf(`W/"%s"`, uuid(fmt.Sprint("etag ", etags.Add(1))))
	return &tag
}
