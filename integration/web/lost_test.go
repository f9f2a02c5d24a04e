package web

import "testing"

// TestDeadNVAIsSaid ends one of two daemons while the page is open.
func TestDeadNVAIsSaid(t *testing.T) {
	near, other := hub("vm-hub00"), farHub("vm-hub10")
	url, _ := page(t, serve(t, "vm-hub00", near), serve(t, "vm-hub10", other))
	b := open(t)
	b.show(laptop)
	b.visit(url)
	b.await("document.querySelector('.canvas [data-kind]') && document.querySelector('#notices').hidden")
	other.OnQuit()
	b.await("document.querySelector('#notices').textContent.includes('vm-hub10 does not answer')")
	b.await("document.querySelector('nav .count').textContent !== ''")
	b.shoot("dead-nva")
	eval[any](b, "document.querySelector('nav [data-view=health]').click(); null")
	b.await("document.querySelector('.problem.bad')?.textContent.includes('vm-hub10')")
	eval[any](b, "document.querySelector('nav [data-view=routes]').click(); null")
	b.await(rows)
}

// TestLostServerIsSaid ends nvactl web while the page is open. What was shown stays, with a word
// that it is old.
func TestLostServerIsSaid(t *testing.T) {
	url, stop := page(t, serve(t, "vm-hub00", hub("vm-hub00")))
	b := open(t)
	b.show(laptop)
	b.visit(url)
	b.await("document.querySelector('.canvas [data-kind]') && document.getElementById('connection').textContent === 'Live'")
	stop()
	b.await("document.getElementById('connection').textContent === 'Lost'")
	b.await("document.querySelector('[role=alert]').textContent.includes('The connection to nvactl web is lost')")
	if eval[bool](b, "!document.querySelector('.canvas [data-kind]')") {
		t.Error("the picture is gone")
	}
	b.shoot("lost-server")
	b.takeFaults() // Chromium logs each request that fails
}
