// What the map of the command page and that of the phone page begin with.

import { at } from '@/shared/api/base'
import type { Bounds } from '@/shared/geo/geo'
import { usePrefs } from '@/shared/prefs/prefs'
import { useSession } from '@/shared/session/session'
import { hasChineseFont, shippedFontFaces } from './engine/fonts'

const fallbackBox: Bounds = [119.5, 36.5, 122, 38.4]

/** The city's bounds; those of the first city while the server has not said which it is. */
export const cityBox = (): Bounds => useSession().me?.city.bbox ?? fallbackBox

/** The part of a style's input that is the same for every map of this browser. */
export function useStyleBasis() {
  const prefs = usePrefs()
  const fontFaces = hasChineseFont() ? [] : shippedFontFaces()
  return () => ({ theme: prefs.theme, language: prefs.language, address: location.origin + at('/'), fontFaces })
}
