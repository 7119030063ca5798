/**
 * Calls f at once when it last ran at least ms ago, else once when ms are over: a burst of calls costs few runs, and the
 * last of them always has its run.
 */
export function paced(f: () => void, ms: number): { (): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  let again = false
  function rest() {
    timer = again ? setTimeout(rest, ms) : undefined
    if (!again) return
    again = false
    f()
  }
  function call() {
    if (timer !== undefined) {
      again = true
      return
    }
    timer = setTimeout(rest, ms)
    f()
  }
  call.stop = () => {
    clearTimeout(timer)
    timer = undefined
    again = false
  }
  return call
}
