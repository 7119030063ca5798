// A second's tick that a hidden tab does not slow down: the browser holds back the timers of pages, not of workers.

setInterval(() => postMessage(0), 1000)
