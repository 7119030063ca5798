import { useEventListener, useTimeoutFn } from '@vueuse/core'
import { computed, onBeforeUnmount, onMounted, ref, shallowRef } from 'vue'
import { useNow } from '@/shared/time/clock'

const giveUpMs = 10_000

/**
 * Fetches again and again while the page is seen: one request at a time, none for a hidden page, at
 * once when it is seen again. What was fetched stays after a failure, with its age.
 */
export function usePolled<T>(fetch: (signal: AbortSignal) => Promise<T>, everyMs: number) {
  const now = useNow()
  const data = shallowRef<T | null>(null)
  const error = shallowRef<unknown>(null)
  const fetchedAt = ref(0)
  const { start: loadLater, stop: cancel } = useTimeoutFn(load, everyMs, { immediate: false })
  let busy = false
  let ended = false

  async function load() {
    if (busy) return
    cancel()
    if (document.visibilityState === 'visible') {
      busy = true
      try {
        data.value = await fetch(AbortSignal.timeout(giveUpMs))
        fetchedAt.value = Date.now()
        error.value = null
      } catch (cause) {
        error.value = cause
      } finally {
        busy = false
      }
    }
    if (!ended) loadLater()
  }

  /** Seconds since it was fetched; null before the first time. */
  const age = computed(() => {
    void now.value
    return fetchedAt.value ? Math.max(0, (Date.now() - fetchedAt.value) / 1000) : null
  })
  /** It could not be fetched anew, or has not been for three times as long as it should. */
  const late = computed(() => age.value !== null && (error.value !== null || age.value * 1000 > everyMs * 3 + giveUpMs))

  useEventListener(document, 'visibilitychange', () => document.visibilityState === 'visible' && void load())
  onMounted(load)
  onBeforeUnmount(() => {
    ended = true
  })
  return { data, error, age, late, load }
}
