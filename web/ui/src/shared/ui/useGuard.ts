import { useTimeoutFn } from '@vueuse/core'
import { watch, type Ref, type WatchSource } from 'vue'

const guardMs = 700

/**
 * True for a moment after what a button acts on has changed: what slid under a finger on its way down is not what the
 * finger was going for. counts: which changes do; atOnce: its appearing does, too.
 */
export function useGuard<T>(source: WatchSource<T>, counts: (now: T, before: T) => boolean = () => true, atOnce = false): Ref<boolean> {
  const { isPending, start } = useTimeoutFn(() => {}, guardMs, { immediate: atOnce })
  // Before the change is drawn, so that it is never there without its guard.
  watch(source, (now, before) => counts(now, before as T) && start(), { flush: 'sync' })
  return isPending
}
