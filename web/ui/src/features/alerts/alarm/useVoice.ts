import { useEventListener } from '@vueuse/core'
import { onBeforeUnmount, onMounted, watch } from 'vue'
import { usePrefs } from '@/shared/prefs/prefs'
import { useWatch } from '@/shared/watch/watch'
import { useAlarm } from './store'
import { Voice } from './voice'
import type { Tone } from './machine'

const vibrations: Record<Tone, number[]> = {
  red: [400, 150, 400, 150, 400],
  orange: [300, 150, 300],
  broken: [150, 100, 150, 100, 150],
  chime: [200],
}

/** What arms the sound by itself; its own buttons say what they do. */
const isOwnButton = (target: EventTarget | null) => target instanceof Element && target.closest('[data-sound]') !== null

function vibrate(pattern: number[]) {
  if (navigator.userActivation?.hasBeenActive !== false) navigator.vibrate?.(pattern)
}

/** Gives the alarm its voice. Used once, by the shell. */
export function useVoice() {
  const alarm = useAlarm()
  const prefs = usePrefs()
  const health = useWatch()
  const voice = new Voice(said)

  function said() {
    alarm.page.sound = prefs.muted && voice.state !== 'failed' ? 'muted' : voice.state
    health.armed = alarm.page.sound === 'armed'
  }

  // The first click or key of a page's life allows sound: nobody has to look for a button.
  function gesture(event: Event) {
    if (isOwnButton(event.target) || prefs.muted || voice.state === 'armed') return
    void voice.arm()
  }
  useEventListener(window, ['click', 'keydown'], gesture)
  useEventListener(document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible' && voice.state === 'suspended') void voice.arm()
  })

  const stopRings = alarm.onRing((tone) => {
    if (!prefs.muted) voice.play(tone)
    vibrate(vibrations[tone])
  })
  watch(
    () => alarm.voice,
    (now) => {
      if (now !== 'none') return
      voice.stop()
      vibrate([])
    },
  )
  watch(
    () => prefs.muted,
    (muted) => {
      if (muted) voice.stop()
      said()
    },
  )

  /** From a click: turns the sound on and lets it be heard. */
  async function test() {
    prefs.muted = false
    await voice.arm()
    if (alarm.voice === 'none') voice.play('test')
  }
  function mute() {
    prefs.muted = true
  }
  alarm.useSound({ test, mute })

  onMounted(said)
  onBeforeUnmount(() => {
    stopRings()
    voice.close()
  })
}
