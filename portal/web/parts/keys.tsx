/**
 * The keys of the console, in the drawer; `?` opens it.
 */
import { Drawer } from "./drawer";

const KEYS: readonly [string, readonly [string, string][]][] = [
  [
    "Everywhere",
    [
      ["Ctrl K", "Command palette"],
      ["?", "This list"],
      ["Esc", "Close what is open"],
      ["/", "Into the query editor"],
    ],
  ],
  [
    "Query editor",
    [
      ["Ctrl Enter", "Run the query"],
      ["Ctrl Space", "Suggest what may stand here"],
      ["Tab", "Take the suggestion"],
      ["Shift Alt H", "Describe the word at the cursor"],
      ["F8", "Next problem"],
      ["Ctrl .", "Fix the problem"],
      ["Shift Alt F", "Lay the query out"],
      ["Shift Alt E", "Say what it asks"],
      ["Shift Alt N", "Nexthink only, or all of NQL"],
      ["Shift Alt L", "Live: keep the rows up to date, or not"],
    ],
  ],
  [
    "Rows",
    [
      ["↑ ↓ ← →", "Move"],
      ["Space", "Select the row, or not"],
      ["Shift ↑ ↓", "Extend the selection"],
      ["Ctrl A", "Select all"],
      ["Enter", "Details; on a header: sort"],
      ["Ctrl C", "Copy the selected rows"],
      ["Alt ← →", "On a header: narrower, wider"],
    ],
  ],
];

export function KeysDrawer({ onClose }: { onClose: () => void }) {
  return (
    <Drawer title="Keyboard shortcuts" onClose={onClose}>
      {KEYS.map(([group, keys]) => (
        <section key={group} class="keys">
          <h3>{group}</h3>
          <dl>
            {keys.map(([key, what]) => (
              <div key={key}>
                <dt>
                  {key.split(" ").map((one) => (
                    <kbd key={one}>{one}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </Drawer>
  );
}
