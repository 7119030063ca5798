import { useEventListener } from '@vueuse/core'
import { onBeforeUnmount, onMounted, watch } from 'vue'
import { useRoute } from 'vue-router'
import { useUi } from '@/shared/workspace/ui'
import { useAlarm } from './store'

const lateMs = 5_000
const saidForMs = 60_000

/** Keeps true what the alarm knows of the page: seen or hidden, stopped by the browser, and whether the screen stays on. */
export function usePageState() {
  const alarm = useAlarm()
  const route = useRoute()
  const ui = useUi()
  let lock: WakeLockSentinel | null = null
  let wasHidden = document.visibilityState !== 'visible'
  let lastTick = performance.now()
  let lateAt = 0

  // A screen that goes dark shows no alarm: phones and walls ask to stay on while their sound is armed.
  const wantsLight = () => alarm.page.sound === 'armed' && (route.name === 'mobile' || ui.wall)

  async function keepAwake(): Promise<void> {
    if (!wantsLight()) {
      await lock?.release().catch(() => undefined)
      lock = null
      alarm.page.awake = 'unasked'
      return
    }
    if (lock || document.visibilityState !== 'visible') return
    try {
      lock = (await navigator.wakeLock?.request('screen')) ?? null
      alarm.page.awake = lock ? 'held' : 'refused'
      lock?.addEventListener('release', () => {
        lock = null
        void keepAwake()
      })
    } catch {
      alarm.page.awake = 'refused' // low battery, or not allowed: the page says so
    }
  }

  // A tick that comes late on a hidden page means that the browser stopped the page: no ring could come on time.
  const stopTicks = alarm.onTick(() => {
    const at = performance.now()
    if (wasHidden && at - lastTick > lateMs) lateAt = at
    lastTick = at
    wasHidden = document.visibilityState !== 'visible'
    alarm.page.throttled = lateAt > 0 && at - lateAt < saidForMs
  })

  useEventListener(document, 'visibilitychange', () => {
    alarm.page.visible = document.visibilityState === 'visible'
    if (!alarm.page.visible) wasHidden = true
    void keepAwake()
  })

  watch([() => alarm.page.sound, () => route.name, () => ui.wall], () => void keepAwake())
  onMounted(() => {
    alarm.page.visible = document.visibilityState === 'visible'
  })
  onBeforeUnmount(() => {
    stopTicks()
    void lock?.release().catch(() => undefined)
  })
}
