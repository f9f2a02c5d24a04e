package arm

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// operation is something that takes its time.
type operation struct {
	id    string
	owner string // lower-case ID of the resource that it works on
	read  bool
	due   time.Time

	once   sync.Once
	run    func() (*answer, *Problem)
	answer *answer
	failed *Problem
}

// finish runs the operation, once.
func (o *operation) finish() (*answer, *Problem) {
	o.once.Do(func() { o.answer, o.failed = o.run() })
	return o.answer, o.failed
}

const maxOperations = 1000

// begin answers with run at once, or if that takes time, with where to ask for its answer.
func (s *Server) begin(c *call, takes time.Duration, run func() (*answer, *Problem)) (*answer, *Problem) {
	if takes <= 0 {
		return run()
	}
	o := s.start(c, takes, true, run)
	return &answer{status: http.StatusAccepted, header: s.pollHeader(c.request, o), body: []byte("null")}, nil
}

// start notes an operation. Old ones are forgotten.
func (s *Server) start(c *call, takes time.Duration, read bool, run func() (*answer, *Problem)) *operation {
	if fault, ok := c.request.Context().Value(faultKey{}).(*Fault); ok {
		run = func() (*answer, *Problem) { return nil, problem(fault.Status, fault.Code, "%s", fault.Message) }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &operation{id: uuid(*newETag()), owner: strings.ToLower(c.id), read: read, due: s.now().Add(takes), run: run}
	if len(s.operations) >= maxOperations {
		s.operations = map[string]*operation{}
	}
	s.operations[o.id] = o
	return o
}

// settle completes the changes whose time has come, in the order of their ends.
func (s *Server) settle() {
	s.mu.Lock()
	var due []*operation
	for _, o := range s.operations {
		if !o.read && !s.now().Before(o.due) {
			due = append(due, o)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(due, func(a, b *operation) int { return a.due.Compare(b.due) })
	for _, o := range due {
		_, _ = o.finish()
	}
}

// busy returns an operation that changes a resource, what it is part of, or another part of
// that: a VNet changes one subnet at a time, and a Route Server one peer.
func (s *Server) busy(id string) *operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.operations {
		if !o.read && s.now().Before(o.due) && wholeOf(o.owner) == wholeOf(id) {
			return o
		}
	}
	return nil
}

// wholeOf returns the lower-case ID of the resource that another is part of, or its own.
func wholeOf(id string) string {
	parts := strings.Split(strings.ToLower(id), "/")
	return strings.Join(parts[:min(len(parts), 9)], "/")
}

// pollHeader says where to ask for an operation, and how soon.
func (s *Server) pollHeader(req *http.Request, o *operation) http.Header {
	h := http.Header{}
	subscription, _ := groupOf(o.owner)
	for name, kind := range map[string]string{"Azure-AsyncOperation": pollStatus, "Location": pollAnswer} {
		h.Set(name, fmt.Sprintf("https://%s/subscriptions/%s/providers/%s?api-version=%s",
			req.Host, subscription, strings.Replace(kind, "locations/", "locations/"+Location+"/", 1)+"/"+o.id, req.URL.Query().Get("api-version")))
	}
	h.Set("Retry-After", s.retryAfter())
	return h
}

func (s *Server) retryAfter() string {
	return strconv.Itoa(int(math.Ceil(s.being().RetryAfter.Seconds())))
}

// Where clients poll: the first says how far an operation is, the second has its answer.
const (
	pollStatus = "Microsoft.Network/locations/operations"
	pollAnswer = "Microsoft.Network/locations/operationResults"
)

func isPoll(t target) bool {
	return len(t.names) == 2 && t.rest == "" && (strings.EqualFold(t.kind, pollStatus) || strings.EqualFold(t.kind, pollAnswer))
}

// poll answers questions for operations.
func (s *Server) poll(c *call) (*answer, *Problem) {
	t := c.target
	status := strings.EqualFold(t.kind, pollStatus)
	if s.being().PollRole {
		if p := c.authorize(t.kind+"/read", t.id(t.kind)); p != nil {
			return nil, p
		}
	}
	s.mu.Lock()
	o := s.operations[t.names[1]]
	s.mu.Unlock()
	if o == nil {
		return nil, problem(http.StatusNotFound, "OperationNotFound", "The operation '%s' was not found.", t.names[1])
	}
	if s.now().Before(o.due) {
		if status {
			return s.status("InProgress", nil), nil
		}
		return &answer{status: http.StatusAccepted, header: s.pollHeader(c.request, o), body: []byte("null")}, nil
	}
	a, p := o.finish()
	switch {
	case !status:
		return a, p
	case p != nil:
		return s.status("Failed", p), nil
	}
	return s.status("Succeeded", nil), nil
}

func (s *Server) status(word string, p *Problem) *answer {
	body := map[string]any{"status": word}
	if p != nil {
		body["error"] = p
	}
	data, _ := json.Marshal(body)
	a := &answer{status: http.StatusOK, header: http.Header{}, body: data}
	if word == "InProgress" {
		a.header.Set("Retry-After", s.retryAfter())
	}
	return a
}
