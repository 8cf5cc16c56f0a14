// Package ui stands for upstream's, which embeds a web interface that is written in Elm, made with Node, and not in the
// published module. What is left answers to amtool and to its API.
package ui

import (
	"net/http"

	"github.com/prometheus/common/route"
)

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Alertmanager</title>
<p>This Alertmanager was built without its web interface. It answers to amtool and to its API:</p>
<pre>
amtool --alertmanager.url=http://localhost:9093 alert query
amtool --alertmanager.url=http://localhost:9093 silence add alertname=NAME --duration=2h --comment=WHY
curl http://localhost:9093<a href="/api/v2/alerts">/api/v2/alerts</a>
</pre>
</html>
`

// Register answers GET / with a page that says how to go on.
func Register(router *route.Router) {
	router.Get("/", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = answer.Write([]byte(page))
	})
}
