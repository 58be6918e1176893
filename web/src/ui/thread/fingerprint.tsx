/** A key's fingerprint: four groups of eight digits a line, so that two people can read it to each other. */
export function Fingerprint({ groups, label }: { readonly groups: readonly string[]; readonly label: string }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls
    <p class="fingerprint" role="group" aria-label={label}>
      {groups.map((group, index) => (
        <span key={index}>{group}</span>
      ))}
    </p>
  );
}
