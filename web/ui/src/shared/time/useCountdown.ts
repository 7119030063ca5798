import { useIntervalFn } from '@vueuse/core'
import { ref } from 'vue'

/** Counts whole seconds down to 0. `hold` begins anew with so many seconds. */
export function useCountdown() {
  const left = ref(0)
  let end = 0
  const { pause, resume } = useIntervalFn(tick, 250, { immediate: false })
  function tick() {
    left.value = Math.max(0, Math.ceil((end - Date.now()) / 1000))
    if (left.value === 0) pause()
  }
  function hold(seconds: number) {
    end = Date.now() + seconds * 1000
    resume()
    tick()
  }
  return { left, hold }
}
