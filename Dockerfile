# The page and the HTTP service, with the released model; docs/serving.md says how to start it.
FROM python:3.13-slim
WORKDIR /app
COPY requirements-apps.txt released/*.whl ./
RUN pip install --no-cache-dir --require-hashes -r requirements-apps.txt \
  && pip install --no-cache-dir --no-deps ./*.whl
COPY apps apps
RUN chmod -R a+rX apps
# The service needs a folder for temporary files, and this one can be written even where the disk is read-only.
ENV TMPDIR=/dev/shm
USER 1000:1000
EXPOSE 7860
# Not urllib, which would ask a proxy that the environment names.
HEALTHCHECK --interval=10s --timeout=5s CMD ["python", "-c", \
  "from http.client import HTTPConnection; service = HTTPConnection('127.0.0.1', 7860); \
  service.request('GET', '/health'); assert service.getresponse().status == 200"]
ENTRYPOINT ["python", "-m", "apps.serve", "--host=0.0.0.0"]
