/** The mark: a speech bubble that is a wave. Also in public/icons. */
export function Mark() {
  return (
    <svg class="mark" width="56" height="56" viewBox="4 4 56 56" aria-hidden="true">
      <path
        class="mark-ground"
        d="M22 4h20a18 18 0 0 1 18 18v20a18 18 0 0 1-18 18H9a5 5 0 0 1-5-5V22A18 18 0 0 1 22 4Z"
      />
      <path class="mark-wave" d="M18 29v6M25 24v16M32 18v28M39 24v16M46 29v6" />
    </svg>
  );
}
