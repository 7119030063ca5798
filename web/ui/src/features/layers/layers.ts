import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import * as api from '@/shared/api/endpoints'
import type { Layer, Text } from '@/shared/api/types'
import { ApiError } from '@/shared/api/client'
import { withDrawableStyles } from './style/drawable'

/** How the viewer wants a layer drawn. */
export interface LayerSetting {
  visible: boolean
  /** 0 to 1. */
  opacity: number
}

/** What a layer's switch and slider are before anyone moves them. */
export const plain: LayerSetting = { visible: true, opacity: 1 }

/**
 * Settings that differ from plain, as "hazard_zone:0.5,hospital:0": the URL holds it. 0 is off, and
 * keeps no opacity.
 */
export function encodeSettings(settings: Record<string, LayerSetting>): string {
  return Object.entries(settings)
    .filter(([, s]) => !s.visible || s.opacity !== 1)
    .map(([name, s]) => `${name}:${s.visible ? s.opacity : 0}`)
    .sort()
    .join(',')
}

/** The reverse of encodeSettings. What it cannot read it leaves out. */
export function decodeSettings(text: string): Record<string, LayerSetting> {
  const settings: Record<string, LayerSetting> = {}
  for (const part of text.split(',')) {
    const m = /^(@?[a-z][a-z0-9_]{0,62}):(0(?:\.\d{1,2})?|1)$/.exec(part)
    if (!m) continue
    const opacity = Number(m[2])
    settings[m[1]!] = opacity === 0 ? { visible: false, opacity: 1 } : { visible: true, opacity }
  }
  return settings
}

/** The catalogue, and what the viewer has switched on. */
export const useLayers = defineStore('layers', () => {
  const items = shallowRef<Layer[]>([])
  const themes = shallowRef<{ code: string; title: Text }[]>([])
  const settings = ref<Record<string, LayerSetting>>({})
  const error = ref<ApiError | null>(null)
  const loaded = ref(false)
  const attribution = ref('')

  async function load(): Promise<void> {
    try {
      const list = await api.layers()
      items.value = await withDrawableStyles(list.items ?? [])
      themes.value = list.themes ?? []
      error.value = null
      loaded.value = true
    } catch (cause) {
      error.value = cause instanceof ApiError ? cause : new ApiError(0, { title: String(cause) })
      throw cause
    }
    if (!attribution.value) {
      attribution.value = await api.sources().then((s) => s.attribution, () => '')
    }
  }

  const byTheme = computed(() =>
    themes.value
      .map((theme) => ({ ...theme, layers: items.value.filter((l) => l.theme === theme.code) }))
      .filter((theme) => theme.layers.length > 0),
  )

  const get = (name: string) => items.value.find((l) => l.name === name)
  const setting = (name: string): LayerSetting => settings.value[name] ?? plain

  function set(name: string, change: Partial<LayerSetting>) {
    settings.value = { ...settings.value, [name]: { ...setting(name), ...change } }
  }

  return { items, themes, settings, error, loaded, attribution, byTheme, load, get, setting, set }
})
