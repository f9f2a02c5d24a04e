package imds

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// eventsVersion is the API version of scheduled events, the latest there is.
const eventsVersion = "2020-07-01"

// eventsTimeout bounds a request for events. By Azure's documentation, the first request of a VM
// takes up to two minutes.
const eventsTimeout = 150 * time.Second

// EventType says what an event does to the VM.
type EventType string

// Freeze pauses the VM for some seconds and loses nothing. All other types (Reboot, Redeploy,
// Preempt, Terminate) end everything that runs on the VM.
const Freeze EventType = "Freeze"

// Event is a scheduled event of this VM, or of another one in the same set.
type Event struct {
	// ID identifies the event in all of Azure.
	ID string
	// Type says what happens.
	Type EventType
	// Resources are the names of all affected VMs.
	Resources []string
	// Started is set once the event has begun, or may begin at any moment.
	Started bool
	// NotBefore is the earliest time at which it begins; zero once it has started.
	NotBefore time.Time
	// Duration is how long it interrupts the VM; negative if that is not known.
	Duration time.Duration
	// Description is Azure's, for people.
	Description string
}

// Events asks once for the events that are scheduled or under way.
func (c *Client) Events(ctx context.Context) ([]Event, error) {
	a, err := c.once(ctx, eventsTimeout, request{method: http.MethodGet, path: "/scheduledevents", version: eventsVersion})
	if err != nil {
		return nil, fmt.Errorf("metadata service: %w", err)
	}
	events, err := parseEvents(a.body)
	if err != nil {
		return nil, fmt.Errorf("metadata service: /scheduledevents: %w", err)
	}
	return events, nil
}

// Approve tells Azure that an event may begin before its time, on all affected VMs.
func (c *Client) Approve(ctx context.Context, id string) error {
	type start struct {
		EventID string `json:"EventId"`
	}
	body, err := json.Marshal(struct{ StartRequests []start }{[]start{{id}}})
	if err != nil {
		return err
	}
	_, err = c.once(ctx, answerTimeout, request{method: http.MethodPost, path: "/scheduledevents", version: eventsVersion, body: body})
	if err != nil {
		return fmt.Errorf("metadata service: %w", err)
	}
	return nil
}

type rawEvent struct {
	EventID           string `json:"EventId"`
	EventType         EventType
	Resources         []string
	EventStatus       string
	NotBefore         string
	Description       string
	DurationInSeconds int
}

// parseEvents reads the answer. A missing duration means that it is not known.
func parseEvents(body []byte) ([]Event, error) {
	var doc struct{ Events []json.RawMessage }
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&doc); err != nil {
		return nil, fmt.Errorf("not the JSON that is documented: %w", err)
	}
	var out []Event
	for i, text := range doc.Events {
		raw := rawEvent{DurationInSeconds: -1}
		if err := json.Unmarshal(text, &raw); err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if raw.EventID == "" {
			return nil, fmt.Errorf("event %d has no EventId", i)
		}
		// An unreadable time counts as none: no decision depends on it.
		notBefore, _ := http.ParseTime(raw.NotBefore)
		out = append(out, Event{
			ID: raw.EventID, Type: raw.EventType, Resources: raw.Resources, Started: raw.EventStatus == "Started",
			NotBefore: notBefore, Duration: time.Duration(raw.DurationInSeconds) * time.Second, Description: raw.Description,
		})
	}
	return out, nil
}
