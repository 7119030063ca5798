import { computed, onBeforeUnmount, onMounted, ref } from 'vue'
import { playAlarm } from './useSound'

const repeatMs = 5_000

/**
 * Sound, vibration and a screen that stays on, once armed by a gesture. `audible` is what is true, not
 * what was wished: a browser may suspend sound at any time, and then the page must say so.
 */
export function usePhoneAlarm() {
  const armed = ref(false)
  const running = ref(false)
  const failed = ref(false)
  const awake = ref(false)
  let audio: AudioContext | null = null
  let lock: WakeLockSentinel | null = null
  let repeat: ReturnType<typeof setInterval> | undefined

  const audible = computed(() => armed.value && running.value)

  async function resume(): Promise<void> {
    try {
      if (!audio) {
        audio = new AudioContext()
        audio.onstatechange = () => (running.value = audio?.state === 'running')
      }
      await audio.resume()
      failed.value = false
    } catch {
      failed.value = true // no audio device, or not allowed
    }
    running.value = audio?.state === 'running'
  }

  async function keepAwake(): Promise<void> {
    if (!armed.value || lock || document.visibilityState !== 'visible') return
    try {
      lock = (await navigator.wakeLock?.request('screen')) ?? null
      awake.value = lock !== null
      lock?.addEventListener('release', () => {
        lock = null
        awake.value = false
      })
    } catch {
      awake.value = false // low battery, or not available: the page works without it
    }
  }

  /** Called from a click: sounds once, so that one hears that it can be heard. */
  async function arm(): Promise<void> {
    armed.value = true
    void keepAwake()
    await resume()
    if (audio && running.value) playAlarm(audio)
  }

  function disarm() {
    armed.value = false
    silence()
    void lock?.release().catch(() => undefined)
    void audio?.suspend().catch(() => undefined)
  }

  /** Sounds and vibrates; a repeated alarm goes on until silence. */
  function ring(again: boolean) {
    silence()
    const once = () => {
      if (!armed.value) return
      if (audio?.state === 'running') playAlarm(audio)
      navigator.vibrate?.([400, 150, 400, 150, 400])
    }
    once()
    if (again) repeat = setInterval(once, repeatMs)
  }
  function silence() {
    clearInterval(repeat)
    repeat = undefined
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(0)
  }

  const seen = () => {
    if (document.visibilityState !== 'visible' || !armed.value) return
    void resume()
    void keepAwake()
  }
  onMounted(() => document.addEventListener('visibilitychange', seen))
  onBeforeUnmount(() => {
    document.removeEventListener('visibilitychange', seen)
    disarm()
    if (audio) audio.onstatechange = null
    void audio?.close().catch(() => undefined)
  })
  return { armed, audible, failed, awake, arm, disarm, ring, silence }
}
