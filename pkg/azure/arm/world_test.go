package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/imds"
)

// world is an Azure that answers as the REST reference has it: pages of one item, long-running
// operations with both of their addresses, etags, and 403 for actions that it denies.
type world struct {
	t       *testing.T
	mu      sync.Mutex
	docs    map[string]string   // resources by path, in lower case
	lists   map[string][]string // items by path, in lower case
	results map[string]string   // of POST, by path
	denied  map[string]bool     // actions
	pending []string            // results of operations, by number
	sent    []*sent
	// meet, if set, may answer a request instead.
	meet func(*http.Request) *http.Response
	// token is the answer of the metadata service to a question for a token.
	token func(*http.Request) *http.Response
}

// sent is a request to Resource Manager.
type sent struct {
	method, path, query, ifMatch string
	body                         []byte
}

func answer(status int, body string, headers ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func failure(status int, code, text string) *http.Response {
	body, _ := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": text}})
	return answer(status, string(body))
}

const host = "https://management.azure.com"

// Do answers a request.
func (w *world) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	resp := w.respond(req)
	resp.Request = req
	return resp, nil
}

func (w *world) respond(req *http.Request) *http.Response {
	if req.URL.Host == "169.254.169.254" {
		if w.token != nil {
			return w.token(req)
		}
		// It ends soon: the SDK keeps tokens for the next test otherwise.
		return answer(200, fmt.Sprintf(`{"access_token":"secret","expires_on":"%d","resource":"x","token_type":"Bearer"}`, time.Now().Add(time.Minute).Unix()))
	}
	if req.URL.Scheme+"://"+req.URL.Host != host || req.Header.Get("Authorization") != "Bearer secret" {
		w.t.Errorf("%s %s with %q", req.Method, req.URL, req.Header.Get("Authorization"))
	}
	if w.meet != nil {
		if resp := w.meet(req); resp != nil {
			return resp
		}
	}
	return w.answer(req)
}

func (w *world) answer(req *http.Request) *http.Response {
	s := &sent{method: req.Method, path: req.URL.Path, query: req.URL.RawQuery, ifMatch: req.Header.Get("If-Match")}
	if req.Body != nil {
		s.body, _ = io.ReadAll(req.Body)
	}
	w.sent = append(w.sent, s)
	path := strings.ToLower(req.URL.Path)
	if action := actionOf(req.Method, req.URL.Path); w.denied[strings.ToLower(action)] {
		return failure(403, "AuthorizationFailed", "The client 'a1' with object id 'b2' does not have authorization to perform action '"+action+
			"' over scope '"+req.URL.Path+"' or the scope is invalid. If access was recently granted, please refresh your credentials.")
	}
	if n, ok := strings.CutPrefix(path, operations+"operations/"); ok {
		return answer(200, `{"status":"Succeeded","name":"`+n+`"}`)
	}
	if n, ok := strings.CutPrefix(path, operations+"operationresults/"); ok {
		var i int
		_, _ = fmt.Sscan(n, &i)
		return answer(200, w.pending[i])
	}
	switch req.Method {
	case http.MethodGet:
		if doc, ok := w.docs[path]; ok && s.ifMatch != "" && s.ifMatch != etagIn(doc) {
			return failure(412, "PreconditionFailed", "Precondition failed.")
		}
		return w.get(path, req.URL.Query().Get("$skiptoken"))
	case http.MethodPost:
		if result, ok := w.results[path]; ok {
			return w.operation(202, "", result)
		}
	case http.MethodPut:
		return w.put(path, s)
	case http.MethodPatch:
		return w.merge(strings.TrimSuffix(path, "/providers/microsoft.resources/tags/default"), s)
	}
	return failure(404, "ResourceNotFound", "The Resource '"+req.URL.Path+"' was not found.")
}

const operations = "/subscriptions/" + sub1 + "/providers/microsoft.network/locations/westeurope/"

// operation answers that result comes later.
func (w *world) operation(status int, body, result string) *http.Response {
	w.pending = append(w.pending, result)
	at := host + "/subscriptions/" + sub1 + "/providers/Microsoft.Network/locations/westeurope/"
	n := len(w.pending) - 1
	return answer(status, body, "Azure-AsyncOperation", fmt.Sprint(at, "operations/", n, "?api-version=2025-05-01"),
		"Location", fmt.Sprint(at, "operationResults/", n, "?api-version=2025-05-01"), "Retry-After", "0")
}

// get answers with a resource, or with one item of a list and where the next is.
func (w *world) get(path, skip string) *http.Response {
	if doc, ok := w.docs[path]; ok {
		return answer(200, doc)
	}
	list, ok := w.lists[path]
	if !ok {
		return failure(404, "ResourceNotFound", "The Resource '"+path+"' was not found.")
	}
	i := 0
	_, _ = fmt.Sscan(skip, &i)
	if len(list) == 0 {
		return answer(200, `{"value":[]}`)
	}
	next := ""
	if i+1 < len(list) {
		next = fmt.Sprintf(`,"nextLink":"%s%s?api-version=x&$skiptoken=%d"`, host, path, i+1)
	}
	return answer(200, `{"value":[`+list[i]+`]`+next+`}`)
}

// put stores a resource under a new etag, unless it has another one than is asked for.
func (w *world) put(path string, s *sent) *http.Response {
	old, exists := w.docs[path]
	if s.ifMatch != "" && (!exists || etagIn(old) != s.ifMatch) {
		return failure(412, "PreconditionFailed", "Precondition failed.")
	}
	var doc map[string]any
	if err := json.Unmarshal(s.body, &doc); err != nil {
		return failure(400, "InvalidRequestContent", err.Error())
	}
	doc["etag"] = fmt.Sprintf(`W/"%d"`, len(w.sent))
	body, _ := json.Marshal(doc)
	w.docs[path] = string(body)
	if i := strings.LastIndexByte(path, '/'); slices.Contains(strings.Split(path, "/"), "bgpconnections") {
		doc["id"] = s.path
		doc["properties"].(map[string]any)["provisioningState"] = "Succeeded"
		item, _ := json.Marshal(doc)
		list := slices.DeleteFunc(w.lists[path[:i]], func(old string) bool { return strings.Contains(strings.ToLower(old), `"`+path+`"`) })
		w.lists[path[:i]] = append(list, string(item))
	}
	return w.operation(201, string(body), string(body))
}

// merge changes tags of a resource.
func (w *world) merge(path string, s *sent) *http.Response {
	var doc map[string]any
	var change tagChange
	if json.Unmarshal([]byte(w.docs[path]), &doc) != nil || json.Unmarshal(s.body, &change) != nil || change.Operation != "Merge" {
		return failure(400, "BadRequest", "no tags of "+path)
	}
	tags, _ := doc["tags"].(map[string]any)
	if tags == nil {
		tags = map[string]any{}
	}
	for name, value := range change.Properties.Tags {
		tags[name] = value
	}
	doc["tags"] = tags
	body, _ := json.Marshal(doc)
	w.docs[path] = string(body)
	return answer(200, string(s.body))
}

func etagIn(doc string) string {
	var v struct{ Etag string }
	_ = json.Unmarshal([]byte(doc), &v)
	return v.Etag
}

// here answers as the metadata service of the VM nva1 does.
func here(context.Context) (*imds.Instance, error) {
	return &imds.Instance{Name: "nva1", ID: vm1, Environment: "AzurePublicCloud"}, nil
}

// client returns a client of w, or of another transport, that uses a managed identity.
func (w *world) client(o Options) *Client {
	w.t.Helper()
	o.Identity = managed
	if o.Transport == nil {
		o.Transport = w
	}
	c, err := newClient(w.t.Context(), o, here)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// requests lists what was sent, without the operations' questions.
func (w *world) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.sent {
		if !strings.Contains(s.path, "/locations/") {
			out = append(out, s.method+" "+s.path)
		}
	}
	return out
}

// Names of the world.
const (
	sub1, sub2 = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"

	rgNVA, rgNet, rgSpoke = "/subscriptions/" + sub1 + "/resourceGroups/rg-nva", "/subscriptions/" + sub1 + "/resourceGroups/rg-net", "/subscriptions/" + sub2 + "/resourceGroups/rg-spoke"

	network = "/providers/Microsoft.Network/"
	compute = "/providers/Microsoft.Compute/virtualMachines/"

	vm1, vm2     = rgNVA + compute + "nva1", rgSpoke + compute + "nva2"
	nic1, nic1b  = rgNVA + network + "networkInterfaces/nic-nva1", rgNVA + network + "networkInterfaces/nic-nva1b"
	nic2         = rgSpoke + network + "networkInterfaces/nic-nva2"
	nicSpoke     = rgSpoke + network + "networkInterfaces/nic-web"
	hub, spoke   = rgNet + network + "virtualNetworks/vnet-hub", rgSpoke + network + "virtualNetworks/vnet-spoke"
	far          = rgSpoke + network + "virtualNetworks/vnet-far"
	tableNVA     = rgNVA + network + "routeTables/rt-nva"
	ars, other   = rgNet + network + "virtualHubs/ars-hub", rgNet + network + "virtualHubs/ars-elsewhere"
	peer1, peer2 = ars + "/bgpConnections/nva1", ars + "/bgpConnections/nva2"
	ergw         = rgNet + network + "virtualNetworkGateways/ergw"
)

// set puts a resource, replacing the names of the world in braces by their IDs.
func (w *world) set(path, doc string) { w.docs[strings.ToLower(path)] = fill(doc) }

func (w *world) list(path string, items ...string) {
	var out []string
	for _, i := range items {
		out = append(out, fill(i))
	}
	w.lists[strings.ToLower(path)] = out
}

func (w *world) result(path, doc string) { w.results[strings.ToLower(path)] = fill(doc) }

var names = strings.NewReplacer("{vm1}", vm1, "{vm2}", vm2, "{nic1}", nic1, "{nic1b}", nic1b, "{nic2}", nic2, "{nicSpoke}", nicSpoke,
	"{hub}", hub, "{spoke}", spoke, "{far}", far, "{tableNVA}", tableNVA, "{ars}", ars, "{other}", other, "{peer1}", peer1, "{peer2}", peer2,
	"{ergw}", ergw, "{nva}", rgNVA+network, "{net}", rgNet+network, "{sub1}", sub1, "{sub2}", sub2)

func fill(doc string) string {
	doc = names.Replace(doc)
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(doc)); err != nil {
		panic(fmt.Sprint(err, " in ", doc))
	}
	return compact.String()
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }
