package config

import (
	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Values of Settings.MaximumPrefixAction.
const (
	ActionShutdown = "shutdown"
	ActionWarn     = "warn"
	ActionDiscard  = "discard"
)

// Values of Settings.MaximumPrefixOutCount.
const (
	CountPrefixes = "prefixes"
	CountIncoming = "current-plus-incoming"
)

// limitFields bound what a neighbor can send and is sent.
var limitFields = []tomlfile.Field[Settings]{
	{
		Key: "maximum-prefix", Impact: SoftRefresh,
		Doc: "Most prefixes to take from the neighbor; 0 is no limit. The default is what Azure Route Server holds in all: " +
			"neither it, an ExpressRoute circuit nor an NVA that passes its routes on sends more. Raise it for a full Internet table.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.MaximumPrefix, 0, tomlfile.MaxUint32) },
	},
	{
		Key: "maximum-prefix-action", Impact: SoftRefresh,
		Doc: `What exceeding it does: "discard" keeps the session and rejects the rest until there is room, "shutdown" ends the session, "warn" only logs it. ` +
			"Of what is rejected, as many prefixes as maximum-prefix are kept, to be accepted when there is room; the others are counted and dropped. " +
			`Once there is room for them, nvad requests them by ROUTE-REFRESH (RFC 2918), at most once a minute; "nvactl reset" does where the neighbor does not support it.`,
		Bind: func(s *Settings) tomlfile.Value {
			return tomlfile.OneOf(&s.MaximumPrefixAction, ActionShutdown, ActionWarn, ActionDiscard)
		},
	},
	{
		Key:  "maximum-prefix-warning",
		Doc:  "Percent of maximum-prefix from which on it is logged, once.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.MaximumPrefixWarning, 1, 100) },
	},
	{
		Key: "maximum-prefix-restart",
		Doc: "Seconds after which a session that exceeded it is tried again; 0 leaves it down until it is enabled.",
		Bind: func(s *Settings) tomlfile.Value {
			return tomlfile.Seconds(&s.MaximumPrefixRestart, 0, tomlfile.MaxUint16*60, nil)
		},
	},
	{
		Key: "maximum-prefix-out", Impact: SoftRefresh,
		Doc:  "Most prefixes of each family to send. What does not fit is held back until there is room: shorter prefixes go first, then lower addresses. 0 is no limit.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.MaximumPrefixOut, 0, tomlfile.MaxUint32) },
	},
	{
		Key: "maximum-prefix-out-count", Impact: SessionReset,
		Doc: `How the neighbor counts: "prefixes", each once, or "current-plus-incoming", as Azure Route Server does: ` +
			"what is sent again counts twice until nothing has been sent for a while, so that changes are spread over time where they would exceed maximum-prefix-out.",
		Bind: func(s *Settings) tomlfile.Value {
			return tomlfile.OneOf(&s.MaximumPrefixOutCount, CountPrefixes, CountIncoming)
		},
	},
	{
		Key: "maximum-as-path", Impact: SessionReset,
		Doc: "Most ASNs in the AS_PATH of a route from the neighbor; one with more is treated as withdrawn, and counted. 0 is no limit. " +
			"As many as one segment holds is far more than any network is deep: longer ones come from mistakes and attacks.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.MaximumASPath, 0, tomlfile.MaxUint16) },
	},
	{
		Key: "maximum-attribute-octets", Impact: SessionReset,
		Doc: "Most octets of path attributes of a route from the neighbor, without its prefixes; one with more is treated as withdrawn, and counted. 0 is no limit. " +
			"What does not fit into 4096 octets could not be sent on to a neighbor without extended messages (RFC 8654), " +
			"and a few routes of 65 kB would fill the memory in spite of maximum-prefix.",
		Bind: func(s *Settings) tomlfile.Value { return tomlfile.Number(&s.MaximumAttributes, 0, tomlfile.MaxUint16) },
	},
}
