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

// Values of Settings.MaximumPrefixCount.
const (
	CountReceived = "received"
	CountAccepted = "accepted"
)

// Values of Settings.MaximumPrefixOutCount.
const (
	CountPrefixes = "prefixes"
	CountIncoming = "current-plus-incoming"
)

// limitFields are the keys that limit what a neighbor sends and is sent.
func limitFields(s *Settings) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "maximum-prefix", Value: tomlfile.Number(&s.MaximumPrefix, 0, tomlfile.MaxUint32), Impact: SoftRefresh,
			Doc: "Maximum number of prefixes from the neighbor; 0 is no limit. maximum-prefix-count says which are counted. An Azure Route Server holds no more " +
				"than the default, so neither it, nor an ExpressRoute circuit, nor an NVA that passes its routes on sends more. " +
				"Raise it for a full Internet table."},
		{Key: "maximum-prefix-action", Value: tomlfile.OneOf(&s.MaximumPrefixAction, ActionShutdown, ActionWarn, ActionDiscard), Impact: SoftRefresh,
			Doc: `What to do when maximum-prefix is exceeded: "discard" keeps the session and rejects the rest until there is ` +
				`room, "shutdown" closes the session, "warn" only logs it. With "discard", nvad stores up to maximum-prefix ` +
				"rejected prefixes, and accepts them when there is room; it counts and drops the others. Once there is room for " +
				"those, nvad requests them by ROUTE-REFRESH (RFC 2918), at most once a minute; if the neighbor does not support " +
				`that, use "nvactl reset".`},
		{Key: "maximum-prefix-count", Value: tomlfile.OneOf(&s.MaximumPrefixCount, CountReceived, CountAccepted), Impact: SoftRefresh,
			Doc: `Which prefixes maximum-prefix counts: "received" counts all that the neighbor sends, "accepted" those that pass ` +
				"the checks and the import policy, as FRR does unless it is told to force the limit. With \"accepted\", nvad stores up to " +
				"maximum-prefix rejected prefixes besides; it counts and drops further ones, and requests them by ROUTE-REFRESH after " +
				"a change of the import policy."},
		{Key: "maximum-prefix-warning", Value: tomlfile.Number(&s.MaximumPrefixWarning, 1, 100),
			Doc: "Log a warning once when this percentage of maximum-prefix is reached."},
		{Key: "maximum-prefix-restart", Value: tomlfile.Seconds(&s.MaximumPrefixRestart, 0, tomlfile.MaxUint16*60, nil),
			Doc: `Seconds after which a session that was closed by maximum-prefix is opened again; 0 keeps it down until "nvactl enable".`},
		{Key: "maximum-prefix-out", Value: tomlfile.Number(&s.MaximumPrefixOut, 0, tomlfile.MaxUint32), Impact: SoftRefresh,
			Doc: "Maximum number of prefixes to send, for each address family. Prefixes beyond it are held back until there is " +
				"room: nvad sends shorter prefixes first, then lower addresses. 0 is no limit."},
		{Key: "maximum-prefix-out-count", Value: tomlfile.OneOf(&s.MaximumPrefixOutCount, CountPrefixes, CountIncoming), Impact: SessionReset,
			Doc: `How the neighbor counts: "prefixes" counts each once; "current-plus-incoming", as Azure Route Server does, ` +
				"counts a prefix twice if it is sent again, until nothing has been sent for 3 seconds. nvad then spreads " +
				"changes over time if they would exceed maximum-prefix-out."},
		{Key: "maximum-as-path", Value: tomlfile.Number(&s.MaximumASPath, 0, tomlfile.MaxUint16), Impact: SessionReset,
			Doc: "Maximum number of ASNs in the AS_PATH of a received route; a route with more is treated as withdrawn, and " +
				"counted. 0 is no limit. The default, the size of one path segment, is far above any real path: longer ones come " +
				"from mistakes and attacks."},
		{Key: "maximum-attribute-octets", Value: tomlfile.Number(&s.MaximumAttributes, 0, tomlfile.MaxUint16), Impact: SessionReset,
			Doc: "Maximum size in octets of a received route's path attributes, without its prefixes; a route with more is " +
				"treated as withdrawn, and counted. 0 is no limit. Attributes above 4096 octets could not be sent on to a " +
				"neighbor without extended messages (RFC 8654), and a few routes of 65 kB would fill the memory in spite of " +
				"maximum-prefix."},
	}
}
