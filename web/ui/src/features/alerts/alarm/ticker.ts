/** Calls f about once a second, in a hidden tab too. Returns the way to stop. */
export function startTicker(f: () => void): () => void {
  const worker = new Worker(new URL('./ticker.worker.ts', import.meta.url), { type: 'module' })
  worker.onmessage = () => f()
  return () => worker.terminate()
}
