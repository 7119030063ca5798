/** Functions that are called when something of a name happens. Events maps each name to its arguments. */
export function emitter<Events extends Record<keyof Events, unknown[]>>() {
  const listeners: { [K in keyof Events]?: Set<(...args: Events[K]) => void> } = {}

  /** Calls f for each event of the name, in the order of registration. It returns a function that ends this. */
  function on<K extends keyof Events>(name: K, f: (...args: Events[K]) => void): () => void {
    const own = (listeners[name] ??= new Set())
    own.add(f)
    return () => void own.delete(f)
  }

  function emit<K extends keyof Events>(name: K, ...args: Events[K]): void {
    listeners[name]?.forEach((f) => f(...args))
  }

  return { on, emit }
}
