// The page's idea of now: the server's clock, ticked by this machine's, so that ages are right on a
// machine whose clock is wrong. One reactive tick a second serves every relative time on the page.

import { ref } from 'vue'

let offset = 0
const tick = ref(Date.now())
let timer: ReturnType<typeof setInterval> | undefined

/** Milliseconds since the epoch by the server's clock. */
export function serverNow(): number {
  return Date.now() + offset
}

/** Learns the server's clock from a time it just sent. Under two seconds off is the network's doing. */
export function setServerTime(iso: string): void {
  const server = Date.parse(iso)
  if (Number.isNaN(server)) return
  const found = server - Date.now()
  offset = Math.abs(found) < 2000 ? 0 : found
  tick.value = serverNow()
}

/** Now, reactive, once a second. */
export function useNow() {
  timer ??= setInterval(() => (tick.value = serverNow()), 1000)
  return tick
}
