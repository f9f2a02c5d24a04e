// Package gen draws test cases for two routing daemons: policies from the part
// of nvad's language that FRR has too, and routes for them to meet.
//
// A [Case] depends on its seed alone. It is drawn once and written down twice,
// by [Case.FRR] and [Case.Nvad]. Every match and set clause of the common part
// is dealt from a deck, so that each occurs in each case, and values come from
// small pools that routes draw from too, so that clauses match.
//
// The package says what is configured and announced, never what should come
// of it.
package gen
