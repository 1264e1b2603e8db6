#!/bin/sh
# nginx.sh FOLDER PORT: nginx as one process, with the deadlines it has set to those of squall. Its files are in FOLDER.
folder=$1 port=$2
cat > "$folder/nginx.conf" << CONF
daemon off;
master_process off;
pid $folder/pid;
error_log /dev/null crit;
events { worker_connections 10000; }
http {
    access_log off;
    default_type text/plain;
    keepalive_requests 1000000000;
    client_header_timeout 10s;
    client_body_timeout 10s;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    server {
        listen 127.0.0.1:$port backlog=4096;
        location = /plaintext { return 200 "Hello, World!"; }
        # A proxy reads the body before it passes a request on.
        location = /login { proxy_pass http://127.0.0.1:$port/plaintext; }
        location / { return 404; }
    }
}
CONF
exec nginx -p "$folder" -c "$folder/nginx.conf"
