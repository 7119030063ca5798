// The one voice of a page: every sound is made here, by one AudioContext, and a new sound takes the place of the
// one before. Browsers allow sound only after a gesture and may stop it at any time; state is what is true.

import type { Tone } from './machine'

interface Note {
  /** Seconds after the beginning, and how long. */
  at: number
  lasts: number
  hertz: number
  /** 0 to 1. */
  gain: number
}

const notes = (count: number, apart: number, lasts: number, gain: number, hertz: readonly number[]): Note[] =>
  Array.from({ length: count }, (_, i) => ({ at: i * apart, lasts, hertz: hertz[i % hertz.length]!, gain }))

/** Red: three rising pairs, heard through talk. Orange: the same, softer and shorter. Broken: low and falling. */
export const patterns: Record<Tone | 'test', readonly Note[]> = {
  red: notes(6, 0.3, 0.24, 0.28, [740, 988]),
  orange: notes(4, 0.3, 0.24, 0.12, [740, 988]),
  broken: notes(4, 0.5, 0.42, 0.22, [330, 220]),
  chime: notes(1, 0, 0.2, 0.14, [660]),
  test: notes(2, 0.25, 0.2, 0.22, [740, 988]),
}

export type VoiceState = 'armed' | 'off' | 'suspended' | 'failed'

export class Voice {
  private audio: AudioContext | null = null
  private out: GainNode | null = null
  private playing: OscillatorNode[] = []
  private ran = false
  private failed = false

  /** changed is called when state may have changed. make is the test's. */
  constructor(
    private readonly changed: () => void,
    private readonly make: () => AudioContext = () => new AudioContext(),
  ) {}

  get state(): VoiceState {
    if (this.failed) return 'failed'
    if (this.audio?.state === 'running') return 'armed'
    return this.ran ? 'suspended' : 'off'
  }

  /** Turns the sound on. Works in a gesture; later, it resumes what the browser suspended. */
  async arm(): Promise<void> {
    try {
      if (!this.audio) {
        this.audio = this.make()
        this.audio.onstatechange = () => this.noticed()
      }
      await this.audio.resume()
      this.failed = false
    } catch {
      this.failed = true // no audio device: state says so
    }
    this.noticed()
  }

  private noticed(): void {
    if (this.audio?.state === 'running') this.ran = true
    this.changed()
  }

  /** Makes a sound; false when it cannot be heard. */
  play(tone: Tone | 'test'): boolean {
    this.stop()
    const audio = this.audio
    if (!audio || audio.state !== 'running') return false
    const out = (this.out = audio.createGain())
    out.connect(audio.destination)
    out.gain.value = 0
    const from = audio.currentTime + 0.05
    for (const note of patterns[tone]) {
      const tone = audio.createOscillator()
      tone.type = 'triangle'
      tone.frequency.value = note.hertz
      tone.connect(out)
      tone.start(from + note.at)
      tone.stop(from + note.at + note.lasts)
      out.gain.setValueAtTime(0, from + note.at)
      out.gain.linearRampToValueAtTime(note.gain, from + note.at + 0.03)
      out.gain.linearRampToValueAtTime(0, from + note.at + note.lasts)
      this.playing.push(tone)
    }
    return true
  }

  /** Ends the sound that is being made. */
  stop(): void {
    this.out?.disconnect()
    this.out = null
    for (const tone of this.playing.splice(0)) tone.disconnect()
  }

  close(): void {
    this.stop()
    if (!this.audio) return
    this.audio.onstatechange = null
    void this.audio.close().catch(() => undefined)
    this.audio = null
    this.ran = false
  }
}
