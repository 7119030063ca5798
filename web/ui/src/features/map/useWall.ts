import { useEventListener } from '@vueuse/core'
import { useUi } from '@/shared/workspace/ui'

/**
 * Wall mode over the whole screen, where the browser allows it. The browser takes Esc for itself while it shows the page
 * over the whole screen: leaving that leaves the wall, so that one Esc is enough.
 */
export function useWall() {
  const ui = useUi()
  let whole = false

  async function toggle() {
    ui.wall = !ui.wall
    if (!ui.wall) {
      if (document.fullscreenElement) await document.exitFullscreen().catch(() => undefined)
      return
    }
    // Refused where the browser's owner forbids it: the wall is there all the same.
    await document.documentElement.requestFullscreen?.().catch(() => undefined)
  }
  useEventListener(document, 'fullscreenchange', () => {
    const now = document.fullscreenElement !== null
    if (whole && !now) ui.leaveWall()
    whole = now
  })
  return { toggle }
}
