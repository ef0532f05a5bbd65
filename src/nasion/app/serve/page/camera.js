// The camera: its frames go to the server one after the other, and the faces come back.

const FRAME_SIDE = 640;  // pixels: the longer side of a frame that is sent

/** `show(result, milliseconds)`: called with each answer; `ended(reason)`: once, with an empty reason if `stop` was called. */
export async function startCamera(query, show, ended) {
  if (!navigator.mediaDevices) throw new Error("Browsers allow cameras only on localhost and over https.");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: FRAME_SIDE }, height: { ideal: 480 } } })
    .catch((error) => { throw new Error(`The camera cannot be used: ${error.message}`); });
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  video.srcObject = stream;
  await video.play();
  // Relative to the page, which a proxy may show under a path of its own.
  const address = new URL(`v1/live?${new URLSearchParams(query)}`, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  let frame = null, isOn = true;
  const stop = (reason = "") => {
    if (!isOn) return;
    isOn = false;
    stream.getTracks().forEach((track) => track.stop());
    socket.close();
    ended(reason);
  };
  const sendFrame = () => {
    if (!isOn || socket.readyState !== WebSocket.OPEN) return;
    const scale = Math.min(1, FRAME_SIDE / Math.max(video.videoWidth, video.videoHeight));
    frame = document.createElement("canvas");
    frame.width = Math.round(video.videoWidth * scale);
    frame.height = Math.round(video.videoHeight * scale);
    frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
    frame.toBlob((blob) => { if (blob && socket.readyState === WebSocket.OPEN) socket.send(blob); }, "image/jpeg", 0.85);
  };
  socket.addEventListener("open", sendFrame);
  socket.addEventListener("close", (event) => stop(event.reason || "The connection to the server ended."));
  socket.addEventListener("message", (event) => {
    if (!isOn) return;
    const answer = JSON.parse(event.data);
    if (answer.error) { stop(answer.error); return; }
    show({ name: "camera", bitmap: frame, width: answer.width, height: answer.height, faces: answer.faces }, answer.milliseconds);
    requestAnimationFrame(sendFrame);
  });
  return { stop };
}
