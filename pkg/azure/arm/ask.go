package arm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// Bounds of a list, and the pause between two questions after a long-running operation if
// Azure names none.
const (
	maxItems  = 50_000
	maxPages  = 1_000
	pollPause = 2 * time.Second
)

// pages reads a whole list.
func pages[P, T any](ctx context.Context, c *Client, step string, pager *runtime.Pager[P], items func(P) []T) ([]T, error) {
	c.begin(step)
	var all []T
	for n := 0; pager.More(); n++ {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if all = append(all, items(page)...); len(all) > maxItems || n >= maxPages {
			return nil, refuse("%s: the list has more than %d entries or %d pages", step, maxItems, maxPages)
		}
	}
	return all, nil
}

// wait begins a long-running operation and waits for its result.
func wait[T any](ctx context.Context, c *Client, step string, begin func() (*runtime.Poller[T], error)) (T, error) {
	c.begin(step)
	started := time.Now()
	poller, err := begin()
	for err == nil && !poller.Done() {
		var resp *http.Response
		if resp, err = poller.Poll(ctx); err != nil || poller.Done() {
			break
		}
		c.progress(fmt.Sprintf("waiting for %s (%v)", step, time.Since(started).Round(time.Second)))
		err = sleep(ctx, retryAfter(resp.Header, pollPause))
	}
	if err != nil {
		var none T
		return none, err
	}
	return poller.Result(ctx)
}

// get reads the resource at path with a version of the API that the SDK's client lacks.
func (c *Client) get(ctx context.Context, path, version string, query url.Values, to any) (*http.Response, error) {
	return c.send(ctx, http.MethodGet, path, version, query, nil, "", to)
}

// send asks for one resource; the answer is decoded into to. With an etag, the resource is
// written only if it has not changed since.
func (c *Client) send(ctx context.Context, method, path, version string, query url.Values, body any, etag string, to any) (*http.Response, error) {
	req, err := runtime.NewRequest(ctx, method, runtime.JoinPaths(c.raw.Endpoint(), (&url.URL{Path: path}).EscapedPath()))
	if err != nil {
		return nil, err
	}
	if query == nil {
		query = url.Values{}
	}
	query.Set("api-version", version)
	req.Raw().URL.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	req.Raw().Header.Set("Accept", "application/json")
	if etag != "" {
		req.Raw().Header.Set("If-Match", etag)
	}
	if body != nil {
		if err := runtime.MarshalAsJSON(req, body); err != nil {
			return nil, err
		}
	}
	resp, err := c.raw.Pipeline().Do(req)
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated) {
		return nil, runtime.NewResponseError(resp)
	}
	return resp, runtime.UnmarshalAsJSON(resp, to)
}

// rawList reads a whole list that the SDK's clients lack.
func rawList[T any](ctx context.Context, c *Client, step, path, version string, query url.Values) ([]T, error) {
	type page struct {
		Value    []T
		NextLink string `json:"nextLink"`
	}
	pager := runtime.NewPager(runtime.PagingHandler[page]{
		More: func(p page) bool { return p.NextLink != "" },
		Fetcher: func(ctx context.Context, last *page) (p page, err error) {
			path, query := path, query
			if last != nil {
				if path, query, err = c.next(last.NextLink); err != nil {
					return p, err
				}
			}
			_, err = c.get(ctx, path, version, query, &p)
			return p, err
		},
	})
	return pages(ctx, c, step, pager, func(p page) []T { return p.Value })
}

// next splits the link to a list's next page. The token goes to no other host.
func (c *Client) next(link string) (string, url.Values, error) {
	u, err := url.Parse(link)
	if err != nil {
		return "", nil, fmt.Errorf("the link to the next page: %w", err)
	}
	if own, err := url.Parse(c.raw.Endpoint()); err != nil || u.Host != own.Host {
		return "", nil, fmt.Errorf("the next page is at another host, %q", u.Host)
	}
	return u.Path, u.Query(), nil
}

// parse reads a resource ID.
func parse(id string) (*arm.ResourceID, error) {
	r, err := arm.ParseResourceID(id)
	if err != nil || r.SubscriptionID == "" || r.ResourceGroupName == "" || r.Name == "" {
		return nil, refuse("%q is no resource ID of a resource in a resource group", id)
	}
	return r, nil
}

// object is a JSON object of which only some fields are known.
type object map[string]json.RawMessage
