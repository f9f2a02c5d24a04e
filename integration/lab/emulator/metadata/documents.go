package metadata

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object whose values are strings, lists and objects.
type object = map[string]any

// instance returns the documented answer without the parts that have nothing to do with the
// network. Every value is a string, and values that do not apply are empty.
func (vm VM) instance() object {
	var nics []object
	for _, n := range vm.NICs {
		nics = append(nics, n.object())
	}
	subscription, group := "", "rg-nva"
	if parts := strings.Split(vm.ID, "/"); len(parts) > 4 {
		subscription, group = parts[2], parts[4]
	}
	tags, list := vm.tags()
	return object{
		"compute": object{
			"azEnvironment":     cmp.Or(vm.Environment, "AzurePublicCloud"),
			"location":          cmp.Or(vm.Location, "japaneast"),
			"name":              vm.Name,
			"offer":             "ubuntu-24_04-lts",
			"osType":            "Linux",
			"publisher":         "Canonical",
			"resourceGroupName": group,
			"resourceId":        vm.ID,
			"sku":               "server",
			"subscriptionId":    subscription,
			"tags":              tags,
			"tagsList":          list,
			"vmScaleSetName":    "",
			"vmSize":            "Standard_B2ats_v2",
			"zone":              "",
		},
		"network": object{"interface": nics},
	}
}

// tags returns the tags in both of the service's forms, in the order of their names.
func (vm VM) tags() (text string, list []object) {
	var parts []string
	list = []object{}
	for _, name := range slices.Sorted(maps.Keys(vm.Tags)) {
		parts = append(parts, name+":"+vm.Tags[name])
		list = append(list, object{"name": name, "value": vm.Tags[name]})
	}
	return strings.Join(parts, ";"), list
}

func (n NIC) object() object {
	addresses := []object{}
	for _, a := range n.Addresses {
		addresses = append(addresses, object{"privateIpAddress": a.String(), "publicIpAddress": ""})
	}
	return object{
		"ipv4": object{
			"ipAddress": addresses,
			"subnet": []object{{
				"address": n.Subnet.Addr().String(), "prefix": strconv.Itoa(n.Subnet.Bits()),
			}},
		},
		"ipv6":       object{"ipAddress": []object{}},
		"macAddress": strings.ToUpper(hex.EncodeToString(n.MAC)),
	}
}

// Event is a scheduled event as the service shows it.
type Event struct {
	EventID           string `json:"EventId"`
	EventType         string
	ResourceType      string
	Resources         []string
	EventStatus       string
	NotBefore         string
	Description       string
	EventSource       string
	DurationInSeconds int
}

// events are the scheduled events, with a record of the approved ones.
type events struct {
	incarnation int
	list        []Event
	approved    []string
}

// Schedule adds an event of the given type that affects vms and starts after notice.
func (s *Server) Schedule(id, kind string, notice time.Duration, vms ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events.incarnation++
	s.events.list = append(s.events.list, Event{
		EventID: id, EventType: kind, ResourceType: "VirtualMachine", Resources: vms, EventStatus: "Scheduled",
		NotBefore:   time.Now().Add(notice).UTC().Format(http.TimeFormat),
		Description: "Host server is undergoing maintenance.", EventSource: "Platform", DurationInSeconds: -1,
	})
}

// Begin starts an event, as Azure does once all VMs have approved it or its time has come.
func (s *Server) Begin(id string) {
	s.change(id, func(e *Event) { e.EventStatus, e.NotBefore = "Started", "" })
}

// Finish removes an event, whether it has happened or was cancelled.
func (s *Server) Finish(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events.incarnation++
	s.events.list = slices.DeleteFunc(s.events.list, func(e Event) bool { return e.EventID == id })
}

// Approved lists the approved events in the order of their approval.
func (s *Server) Approved() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events.approved)
}

func (s *Server) change(id string, change func(*Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events.incarnation++
	for i := range s.events.list {
		if s.events.list[i].EventID == id {
			change(&s.events.list[i])
		}
	}
}

func (s *Server) document() object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{"DocumentIncarnation": s.events.incarnation, "Events": append([]Event{}, s.events.list...)}
}

// approve answers StartRequests. They succeed if they name existing events.
func (s *Server) approve(w http.ResponseWriter, req *http.Request) {
	var body struct {
		StartRequests []struct {
			EventID string `json:"EventId"`
		}
	}
	if json.NewDecoder(req.Body).Decode(&body) != nil || len(body.StartRequests) == 0 {
		fail(w, http.StatusBadRequest, "Bad request. The payload is malformed")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range body.StartRequests {
		if !slices.ContainsFunc(s.events.list, func(e Event) bool { return e.EventID == r.EventID }) {
			fail(w, http.StatusBadRequest, "Bad request. No such event")
			return
		}
		s.events.approved = append(s.events.approved, r.EventID)
	}
}
