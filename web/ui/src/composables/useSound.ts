import { onBeforeUnmount, onMounted, ref, watch } from 'vue'
import { useAlerts } from '../stores/alerts'
import { usePrefs } from '../stores/prefs'

/** Three rising pairs of tones: heard through talk, over in two seconds. */
export function playAlarm(audio: AudioContext): void {
  const gain = audio.createGain()
  gain.connect(audio.destination)
  gain.gain.value = 0
  for (let i = 0; i < 6; i++) {
    const at = audio.currentTime + 0.05 + i * 0.3
    const tone = audio.createOscillator()
    tone.type = 'triangle'
    tone.frequency.value = i % 2 ? 988 : 740
    tone.connect(gain)
    tone.start(at)
    tone.stop(at + 0.24)
    gain.gain.setValueAtTime(0, at)
    gain.gain.linearRampToValueAtTime(0.28, at + 0.03)
    gain.gain.linearRampToValueAtTime(0, at + 0.24)
  }
}

/**
 * Sounds when a red alert arrives. Browsers allow sound only after a gesture; until then `blocked`
 * says that a red alert would be silent.
 */
export function useSound() {
  const alerts = useAlerts()
  const prefs = usePrefs()
  const blocked = ref(false)
  let audio: AudioContext | null = null

  function wake() {
    try {
      audio ??= new AudioContext()
      void audio.resume().then(() => (blocked.value = audio?.state !== 'running'), () => undefined)
    } catch {
      blocked.value = true // no audio device
    }
  }

  watch(
    () => alerts.arrived,
    (arrived) => {
      if (!arrived || arrived.level !== 1 || prefs.muted) return
      wake()
      if (audio?.state === 'running') playAlarm(audio)
      else blocked.value = true
    },
  )
  onMounted(() => {
    blocked.value = !navigator.userActivation?.hasBeenActive
    window.addEventListener('pointerdown', wake)
    window.addEventListener('keydown', wake)
  })
  onBeforeUnmount(() => {
    window.removeEventListener('pointerdown', wake)
    window.removeEventListener('keydown', wake)
    void audio?.close()
  })
  return { blocked }
}
